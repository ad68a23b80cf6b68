// Signs tokens as the vendor documents it for Node backends: `kid` in the header, the claims as the payload.
// Reads [{kid, secret, claims, options?}, ...] from standard input and writes [{token} or {error}, ...].
'use strict'

const jwt = require('jsonwebtoken')

function sign({ kid, secret, claims, asText, header }) {
  try {
    // jsonwebtoken 9 takes a payload whose `exp` is a string, as in the vendor's sample, only as text.
    const payload = asText ? JSON.stringify(claims) : claims
    return { token: jwt.sign(payload, secret, { header: { alg: 'HS256', typ: 'JWT', kid, ...header } }) }
  } catch (error) {
    return { error: error.message }
  }
}

let given = ''
process.stdin.on('data', (chunk) => (given += chunk))
process.stdin.on('end', () => process.stdout.write(JSON.stringify(JSON.parse(given).map(sign))))
