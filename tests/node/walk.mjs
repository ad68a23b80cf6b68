// A walk through every operation of the official JavaScript client.
// Reads one JSON document (where the server is, and keys) from standard input and writes one: the client's version, what
// went wrong in each chapter, which operations the client has, which were walked, and the secrets that were seen.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { CHAPTERS } from './walk_chapters.mjs'

const require = createRequire(import.meta.url)
const client = require('sunshine-conversations-client')
const { version } = require('sunshine-conversations-client/package.json')

const apis = Object.keys(client).filter((name) => name.endsWith('Api'))
const methodsOf = (name) =>
  Object.getOwnPropertyNames(client[name].prototype).filter(
    (method) => method !== 'constructor' && !method.endsWith('WithHttpInfo'),
  )

// A new app, and the client's API classes with the app's key: world.users is its UsersApi, and so on.
class World {
  constructor(given, walked, secrets) {
    Object.assign(this, { given, walked, secrets, host: given.host })
    this.api = new client.ApiClient()
    this.api.basePath = given.host
    this.of = this.apisOf(this.api)
  }

  static async open(given, walked, secrets) {
    const world = new World(given, walked, secrets)
    world.act({ username: given.account_key, password: given.account_secret })
    const { app } = await world.of.AppsApi.createApp({ displayName: 'walk' })
    const { key } = await world.of.AppKeysApi.createAppKey(app.id, { displayName: 'walk' })
    secrets.add(key.secret)
    world.app = app.id
    world.key = { username: key.id, password: key.secret }
    world.act(world.key)
    return world
  }

  apisOf(api) {
    return Object.fromEntries(
      apis.map((name) => {
        const walked = this.walked
        const remember = {
          get(target, method) {
            if (methodsOf(name).includes(method)) walked.add(`${name}.${method}`)
            return target[method].bind(target)
          },
        }
        return [name, new Proxy(new client[name](api), remember)]
      }),
    )
  }

  // From now on, call with these credentials: { username, password } or { accessToken }.
  act({ username, password, accessToken }) {
    Object.assign(this.api.authentications.basicAuth, { username, password })
    this.api.authentications.bearerAuth.accessToken = accessToken
  }

  asAccount() {
    this.act({ username: this.given.account_key, password: this.given.account_secret })
  }

  async user(given = {}) {
    return (await this.of.UsersApi.createUser(this.app, { externalId: `customer-${crypto.randomUUID()}`, ...given })).user
  }

  async conversation(user) {
    const body = { type: 'personal', participants: [{ userId: user.id }] }
    return (await this.of.ConversationsApi.createConversation(this.app, body)).conversation
  }

  async say(conversation, text, author = { type: 'business' }) {
    const body = { author, content: { type: 'text', text } }
    return (await this.of.MessagesApi.postMessage(this.app, conversation.id, body)).messages[0]
  }

  async customIntegration(displayName = 'Bot') {
    const webhooks = [{ target: 'http://127.0.0.1:9/hook', triggers: ['conversation:message'] }]
    const body = { type: 'custom', displayName, webhooks }
    return (await this.of.IntegrationsApi.createIntegration(this.app, body)).integration
  }

  async connector(integration) {
    const body = { displayName: 'connector' }
    const { key } = await this.of.CustomIntegrationApiKeysApi.createCustomIntegrationKey(this.app, integration.id, body)
    this.secrets.add(key.secret)
    return { username: key.id, password: key.secret }
  }

  // A call that must fail: with this status, and with this code and title in its first error.
  async refused(status, code, call, title) {
    let error
    try {
      await call()
    } catch (caught) {
      error = caught
    }
    assert.ok(error, `accepted, and ${status} ${code} was expected`)
    if (error.status === undefined) throw error
    const first = error.body?.errors?.[0]
    assert.deepEqual([error.status, first?.code], [status, code], JSON.stringify(error.body))
    if (title) assert.equal(first.title, title)
  }

  // What no official client sends: a browser's requests, a device's. Redirects are not followed.
  fetch(path, options = {}) {
    return fetch(path.startsWith('http') ? path : this.host + path, { redirect: 'manual', ...options })
  }
}

let text = ''
for await (const chunk of process.stdin) text += chunk
const given = JSON.parse(text)
const walked = new Set()
const secrets = new Set()
const failures = {}
for (const [name, told] of Object.entries(CHAPTERS)) {
  try {
    await told(await World.open(given, walked, secrets))
  } catch (error) {
    failures[name] = `${error.stack}\n${error.response?.text ?? ''}`
  }
}
const report = {
  version,
  failures,
  told: Object.keys(CHAPTERS),
  operations: apis.flatMap((name) => methodsOf(name).map((method) => `${name}.${method}`)),
  walked: [...walked],
  secrets: [...secrets],
}
process.stdout.write(JSON.stringify(report))
