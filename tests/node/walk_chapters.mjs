// The chapters of the walk: each gets a world (walk.mjs) with an app of its own.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { writeFileSync, createReadStream } from 'node:fs'
import { join } from 'node:path'

const jwt = createRequire(import.meta.url)('jsonwebtoken')
const NOTHING = '5d8cff3cd55b040010928b5b'
const ids = (list) => list.map((one) => one.id)

async function apps(world) {
  world.asAccount()
  const apps = world.of.AppsApi
  const { app } = await apps.createApp({ displayName: 'Acme', metadata: { n: 1 } })
  assert.equal(app.displayName, 'Acme')
  assert.deepEqual((await apps.getApp(app.id)).app, app)
  assert.ok(ids((await apps.listApps({ page: { size: 100 } })).apps).includes(app.id))
  const changed = (await apps.updateApp(app.id, { displayName: 'Renamed', metadata: { m: true } })).app
  assert.deepEqual([changed.displayName, changed.metadata], ['Renamed', { n: 1, m: true }])
  await apps.deleteApp(app.id)
  await world.refused(404, 'app_not_found', () => apps.getApp(app.id), 'App not found')
}

async function appKeys(world) {
  world.asAccount()
  const keys = world.of.AppKeysApi
  const { key } = await keys.createAppKey(world.app, { displayName: 'second' })
  world.secrets.add(key.secret)
  assert.ok(key.id.startsWith('app_'))
  assert.ok(ids((await keys.listAppKeys(world.app)).keys).includes(key.id))
  const shown = (await keys.getAppKey(world.app, key.id)).key
  assert.deepEqual([shown.displayName, shown.secret], ['second', undefined])
  const token = jwt.sign({ scope: 'app' }, key.secret, { header: { alg: 'HS256', kid: key.id } })
  world.secrets.add(token)
  world.act({ accessToken: token })
  assert.equal((await world.of.AppsApi.getApp(world.app)).app.id, world.app)
  world.asAccount()
  await keys.deleteAppKey(world.app, key.id)
  world.act({ accessToken: token })
  await world.refused(401, 'invalid_auth', () => world.of.AppsApi.getApp(world.app))
}

async function integrations(world) {
  const integrations = world.of.IntegrationsApi
  const bot = await world.customIntegration()
  assert.deepEqual([bot.type, bot.displayName, bot.status], ['custom', 'Bot', 'active'])
  const [hook] = (await world.of.WebhooksApi.listWebhooks(world.app, bot.id)).webhooks
  assert.ok(hook.secret)
  const web = (await integrations.createIntegration(world.app, { type: 'web', brandColor: '112233' })).integration
  assert.deepEqual([web.type, web.status], ['web', 'active']) // this client drops what only one type has
  assert.equal((await integrations.getIntegration(world.app, web.id)).integration.id, web.id)
  const listed = await integrations.listIntegrations(world.app, { filter: { types: 'web,custom' }, page: { size: 1 } })
  assert.deepEqual([ids(listed.integrations), listed.meta.hasMore], [[bot.id], true])
  const rest = await integrations.listIntegrations(world.app, { page: { after: listed.meta.afterCursor } })
  assert.deepEqual(ids(rest.integrations), [web.id])
  const changed = (await integrations.updateIntegration(world.app, web.id, { displayName: 'Site' })).integration
  assert.equal(changed.displayName, 'Site')
  await integrations.deleteIntegration(world.app, web.id)
  await world.refused(404, 'integration_not_found', () => integrations.getIntegration(world.app, web.id))
}

async function customIntegrationApiKeys(world) {
  const keys = world.of.CustomIntegrationApiKeysApi
  const bot = await world.customIntegration()
  const { key } = await keys.createCustomIntegrationKey(world.app, bot.id, { displayName: 'its own' })
  world.secrets.add(key.secret)
  assert.ok(key.id.startsWith('int_'))
  assert.deepEqual(ids((await keys.listCustomIntegrationKeys(world.app, bot.id)).keys), [key.id])
  assert.equal((await keys.getCustomIntegrationKey(world.app, bot.id, key.id)).key.displayName, 'its own')
  world.act({ username: key.id, password: key.secret })
  assert.equal((await world.of.WebhooksApi.listWebhooks(world.app, 'me')).webhooks.length, 1)
  await world.refused(403, 'forbidden', () => world.of.IntegrationsApi.listIntegrations(world.app))
  world.act(world.key)
  await keys.deleteCustomIntegrationKey(world.app, bot.id, key.id)
  await world.refused(404, 'not_found', () => keys.getCustomIntegrationKey(world.app, bot.id, key.id))
}

async function webhooks(world) {
  const webhooks = world.of.WebhooksApi
  const bot = await world.customIntegration()
  const [first] = (await webhooks.listWebhooks(world.app, bot.id)).webhooks
  world.act(await world.connector(bot))
  const body = { target: 'http://127.0.0.1:9/second', triggers: ['user:merge'], includeFullUser: true }
  const { webhook } = await webhooks.createWebhook(world.app, 'me', body)
  assert.deepEqual([webhook.version, webhook.triggers, webhook.includeFullUser], ['v2', ['user:merge'], true])
  assert.deepEqual((await webhooks.getWebhook(world.app, 'me', webhook.id)).webhook, webhook)
  assert.deepEqual(ids((await webhooks.listWebhooks(world.app, 'me')).webhooks), [first.id, webhook.id])
  const changed = (await webhooks.updateWebhook(world.app, 'me', webhook.id, { triggers: ['client:add'] })).webhook
  assert.deepEqual([changed.triggers, changed.secret], [['client:add'], webhook.secret])
  await webhooks.deleteWebhook(world.app, 'me', webhook.id)
  await world.refused(404, 'not_found', () => webhooks.getWebhook(world.app, 'me', webhook.id))
}

async function users(world) {
  const users = world.of.UsersApi
  const externalId = 'x y/é'
  const body = { externalId, profile: { givenName: 'Ada' }, metadata: { n: 1 } }
  const { user } = await users.createUser(world.app, body)
  assert.deepEqual([user.externalId, user.profile.givenName], [externalId, 'Ada'])
  await world.refused(409, 'conflict', () => users.createUser(world.app, body), 'User already exists')
  assert.deepEqual((await users.getUser(world.app, externalId)).user, user)
  const changed = (await users.updateUser(world.app, user.id, { metadata: { m: 2 } })).user
  assert.deepEqual(changed.metadata, { n: 1, m: 2 })
  const erased = (await users.deleteUserPersonalInformation(world.app, externalId)).user
  assert.deepEqual([erased.externalId, erased.metadata, erased.profile.givenName], [externalId, {}, undefined])
  await users.deleteUser(world.app, externalId)
  await world.refused(404, 'user_not_found', () => users.getUser(world.app, user.id), 'User not found')
}

async function clientsAndDevices(world) {
  const { ClientsApi: clients, DevicesApi: devices, IntegrationsApi: integrations } = world.of
  const user = await world.user({ externalId: 'ada' })
  const conversation = await world.conversation(user)
  const sms = { type: 'twilio', accountSid: 'AC1', authToken: 't', phoneNumberSid: 'PN1' }
  const { integration } = await integrations.createIntegration(world.app, sms)
  const { client } = await clients.createClient(world.app, 'ada', {
    matchCriteria: { type: 'twilio', integrationId: integration.id, phoneNumber: '+15149999999' },
    confirmation: { type: 'immediate' },
    target: { conversationId: conversation.id },
  })
  assert.deepEqual([client.type, client.status, client.integrationId], ['twilio', 'pending', integration.id])
  assert.deepEqual(ids((await clients.listClients(world.app, user.id, { page: { size: 5 } })).clients), [client.id])
  await clients.removeClient(world.app, 'ada', client.id)
  await world.refused(404, 'client_not_found', () => clients.removeClient(world.app, 'ada', client.id))

  const kid = world.key.username
  const token = jwt.sign({ scope: 'user', external_id: 'ada' }, world.key.password, { header: { alg: 'HS256', kid } })
  world.secrets.add(token)
  const logIn = await world.fetch(`/sdk/v2/apps/${world.app}/login`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 'ada', client: { id: 'f'.repeat(32), platform: 'android' } }),
  })
  assert.equal(logIn.status, 200)
  const [device] = (await devices.listDevices(world.app, user.id)).devices
  assert.deepEqual([device.type, device.guid, device.status], ['android', 'f'.repeat(32), 'active'])
  assert.deepEqual((await devices.getDevice(world.app, 'ada', device.id)).device, device)
  const [sdk] = (await clients.listClients(world.app, user.id)).clients
  assert.deepEqual([sdk.type, sdk.id], ['sdk', device.clientId])
  const title = "Cannot remove a client of type 'sdk'"
  await world.refused(400, 'bad_request', () => clients.removeClient(world.app, 'ada', sdk.id), title)
}

async function attachments(world) {
  const attachments = world.of.AttachmentsApi
  const conversation = await world.conversation(await world.user())
  const picture = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(64)])
  const path = join(world.given.folder, 'sketch.png')
  writeFileSync(path, picture)
  const options = { _for: 'message', conversationId: conversation.id }
  const { attachment } = await attachments.uploadAttachment(world.app, 'public', createReadStream(path), options)
  assert.equal(attachment.mediaType, 'image/png')
  const served = await world.fetch(attachment.mediaUrl)
  assert.deepEqual(Buffer.from(await served.arrayBuffer()), picture)
  await attachments.deleteAttachment(world.app, { mediaUrl: attachment.mediaUrl })
  assert.equal((await world.fetch(attachment.mediaUrl)).status, 404)
}

async function conversations(world) {
  const conversations = world.of.ConversationsApi
  const ada = await world.user({ externalId: 'ada' })
  const first = await world.conversation(ada)
  assert.deepEqual([first.type, first.isDefault], ['personal', true])
  const group = (
    await conversations.createConversation(world.app, {
      type: 'sdkGroup',
      displayName: 'Planning',
      participants: [{ userExternalId: 'ada', subscribeSDKClient: false }],
    })
  ).conversation
  assert.deepEqual((await conversations.getConversation(world.app, group.id)).conversation, group)
  const page = await conversations.listConversations(world.app, { userId: ada.id }, { page: { size: 1 } })
  assert.deepEqual([page.conversations.length, page.meta.hasMore], [1, true])
  const all = await conversations.listConversations(world.app, { userExternalId: 'ada' })
  assert.deepEqual(ids(all.conversations).sort(), [first.id, group.id].sort())
  const changed = (await conversations.updateConversation(world.app, group.id, { metadata: { n: 1 } })).conversation
  assert.deepEqual([changed.displayName, changed.metadata], ['Planning', { n: 1 }])
  await conversations.deleteConversation(world.app, group.id)
  await world.refused(404, 'conversation_not_found', () => conversations.getConversation(world.app, group.id))
  const interactiveDataRef = { url: 'https://example.org/1', bid: 'b', key: 'k', signature: 's', owner: 'o' }
  const download = { userId: ada.id, apple: { interactiveDataRef } }
  await world.refused(501, 'not_implemented', () =>
    conversations.downloadMessageRef(world.app, first.id, download),
  )
}

async function participants(world) {
  const participants = world.of.ParticipantsApi
  const [ada, ben] = [await world.user(), await world.user({ externalId: 'ben' })]
  const { conversation: group } = await world.of.ConversationsApi.createConversation(world.app, {
    type: 'sdkGroup',
    participants: [{ userId: ada.id, subscribeSDKClient: false }],
  })
  const body = { userExternalId: 'ben', subscribeSDKClient: true }
  const joined = (await participants.joinConversation(world.app, group.id, body)).participant
  assert.deepEqual([joined.userId, joined.clientAssociations[0].type], [ben.id, 'sdk'])
  const listed = (await participants.listParticipants(world.app, group.id, { page: { size: 10 } })).participants
  assert.deepEqual(listed.map((one) => one.userId), [ada.id, ben.id])
  await participants.leaveConversation(world.app, group.id, { userId: ada.id })
  const title = 'User is not a member of the conversation'
  const again = () => participants.leaveConversation(world.app, group.id, { userId: ada.id })
  await world.refused(404, 'not_found', again, title)
}

async function messagesAndActivities(world) {
  const messages = world.of.MessagesApi
  const ada = await world.user({ profile: { givenName: 'Ada' } })
  const conversation = await world.conversation(ada)
  const hello = await world.say(conversation, 'Hello')
  assert.deepEqual([hello.content.text, hello.source.type], ['Hello', 'api:conversations'])
  const answer = await world.say(conversation, 'Hi', { type: 'user', userId: ada.id })
  assert.deepEqual([answer.author.userId, answer.author.displayName], [ada.id, 'Ada'])
  const carousel = {
    type: 'carousel',
    items: [{ title: 'One', actions: [{ type: 'link', text: 'Go', uri: 'https://example.org' }] }],
  }
  await messages.postMessage(world.app, conversation.id, { author: { type: 'business' }, content: carousel })
  const listed = await messages.listMessages(world.app, conversation.id)
  assert.deepEqual([listed.messages.length, listed.meta.hasMore], [3, false])
  assert.deepEqual(listed.messages[2].content.items[0].actions[0].uri, 'https://example.org')
  const earlier = await messages.listMessages(world.app, conversation.id, { page: { before: answer.id } })
  assert.deepEqual(ids(earlier.messages), [hello.id])

  const unread = async () =>
    (await world.of.ParticipantsApi.listParticipants(world.app, conversation.id)).participants[0].unreadCount
  assert.equal(await unread(), 2)
  const author = { type: 'user', userId: ada.id }
  await world.of.ActivitiesApi.postActivity(world.app, conversation.id, { author, type: 'conversation:read' })
  assert.equal(await unread(), 0)

  await messages.deleteMessage(world.app, conversation.id, hello.id)
  assert.deepEqual((await messages.listMessages(world.app, conversation.id)).messages.length, 2)
  await messages.deleteAllMessages(world.app, conversation.id)
  assert.deepEqual((await messages.listMessages(world.app, conversation.id)).messages, [])
}

async function switchboards(world) {
  const { SwitchboardsApi: boards, SwitchboardIntegrationsApi: links, SwitchboardActionsApi: actions } = world.of
  const { switchboard } = await boards.createSwitchboard(world.app)
  assert.deepEqual(ids((await boards.listSwitchboards(world.app)).switchboards), [switchboard.id])
  const made = []
  for (const name of ['bot', 'desk', 'spare']) {
    const body = { name, integrationId: (await world.customIntegration(name)).id, deliverStandbyEvents: true }
    const answer = await links.createSwitchboardIntegration(world.app, switchboard.id, body)
    made.push(answer.switchboardIntegration)
  }
  const [bot, desk, spare] = made
  await links.deleteSwitchboardIntegration(world.app, switchboard.id, spare.id)
  const next = { nextSwitchboardIntegrationId: desk.id }
  await links.updateSwitchboardIntegration(world.app, switchboard.id, bot.id, next)
  const listed = (await links.listSwitchboardIntegrations(world.app, switchboard.id)).switchboardIntegrations
  assert.deepEqual(
    listed.map((one) => [one.name, one.nextSwitchboardIntegrationId]),
    [['bot', desk.id], ['desk', undefined]],
  )
  const on = { enabled: true, defaultSwitchboardIntegrationId: bot.id }
  assert.equal((await boards.updateSwitchboard(world.app, switchboard.id, on)).switchboard.enabled, true)

  const conversation = await world.conversation(await world.user())
  const held = async () => {
    const found = (await world.of.ConversationsApi.getConversation(world.app, conversation.id)).conversation
    return [found.activeSwitchboardIntegration?.name, found.pendingSwitchboardIntegration?.name]
  }
  assert.deepEqual(await held(), ['bot', undefined])
  await actions.passControl(world.app, conversation.id, { switchboardIntegration: 'next' })
  assert.deepEqual(await held(), ['desk', undefined])
  await actions.offerControl(world.app, conversation.id, { switchboardIntegration: 'bot' })
  assert.deepEqual(await held(), ['desk', 'bot'])
  await actions.acceptControl(world.app, conversation.id, { metadata: { n: 1 } })
  assert.deepEqual(await held(), ['bot', undefined])
  await actions.releaseControl(world.app, conversation.id)
  assert.deepEqual(await held(), [undefined, undefined])
  await boards.deleteSwitchboard(world.app, switchboard.id)
  await world.refused(404, 'switchboard_not_found', () => links.listSwitchboardIntegrations(world.app, switchboard.id))
}

async function oauth(world) {
  const { client_id, client_secret, redirect_uri } = world.given
  await world.of.OAuthEndpointsApi.authorize(client_id, 'code', { state: 's1', redirectUri: redirect_uri })
  const form = (fields) =>
    world.fetch('/oauth/authorize', { method: 'POST', body: new URLSearchParams(fields), headers: { origin: world.host } })
  const shown = { key_id: world.key.username, key_secret: world.key.password }
  const page = await (await form({ client_id, redirect_uri, response_type: 'code', state: 's1', ...shown })).text()
  const ticket = page.match(/name="ticket" value="([^"]+)"/)[1]
  const sentBack = await form({ ticket, decision: 'allow', app_id: world.app })
  assert.equal(sentBack.status, 302)
  const code = new URL(sentBack.headers.get('location')).searchParams.get('code')
  world.act({})
  const request = { code, grant_type: 'authorization_code', client_id, client_secret }
  const answer = await world.of.OAuthEndpointsApi.getToken(request)
  assert.equal(answer.token_type, 'Bearer')
  for (const secret of [ticket, code, answer.access_token]) world.secrets.add(secret)

  world.act({ accessToken: answer.access_token })
  const user = await world.user()
  assert.deepEqual((await world.of.WebhooksApi.listWebhooks(world.app, 'me')).webhooks, [])
  await world.refused(403, 'forbidden', () => world.of.IntegrationsApi.listIntegrations(world.app))
  await world.of.OAuthEndpointsApi.revokeAccess()
  await world.refused(401, 'invalid_auth', () => world.of.UsersApi.getUser(world.app, user.id))
}

export const CHAPTERS = {
  apps,
  appKeys,
  integrations,
  customIntegrationApiKeys,
  webhooks,
  users,
  clientsAndDevices,
  attachments,
  conversations,
  participants,
  messagesAndActivities,
  switchboards,
  oauth,
}
