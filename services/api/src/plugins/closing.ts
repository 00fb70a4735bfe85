// Lets `app.close()` end: streams and waits are told first, requests under way are answered, and
// then connections that clients merely hold open, even ones that never sent anything, are cut.
import fp from 'fastify-plugin'

import type { EventHub } from '../events/event-hub.js'

const SWEEP_MS = 50

export const closing = fp<{ readonly events: EventHub }>(
  (app, { events }, done) => {
    let underWay = 0

    app.addHook('onRequest', (_request, reply, next) => {
      underWay += 1
      // Comes for streams and for clients that went away, too.
      reply.raw.once('close', () => {
        underWay -= 1
      })
      next()
    })

    app.addHook('preClose', (next) => {
      events.beginClose()
      if (!app.server.listening) {
        next()
        return
      }
      const sweep = setInterval(() => {
        if (underWay === 0) app.server.closeAllConnections()
        else app.server.closeIdleConnections()
      }, SWEEP_MS)
      app.server.once('close', () => {
        clearInterval(sweep)
      })
      next()
    })
    done()
  },
  { name: 'closing' },
)
