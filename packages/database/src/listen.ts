// One LISTEN connection per process: it comes back by itself when the database was away. What was
// told meanwhile is lost, so `onConnect` is the moment to look at the tables again.
import pg from 'pg'

export interface ListenOptions {
  readonly connectionString: string
  readonly channels: readonly string[]
  readonly onNotification: (channel: string, payload: string) => void
  /** After each LISTEN, the first included. */
  readonly onConnect?: () => void
  readonly onError?: (error: Error) => void
  /** Pause before connecting again (default 500 ms). */
  readonly retryMs?: number
}

export interface Listener {
  readonly close: () => Promise<void>
}

/** Resolves when the first LISTEN is in place; rejects when the first connection fails. */
export async function listen(options: ListenOptions): Promise<Listener> {
  let isClosed = false
  let current: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined

  const connect = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: options.connectionString,
      application_name: 'pare:listen',
      keepAlive: true,
    })
    current = client
    client.on('notification', ({ channel, payload }) => {
      options.onNotification(channel, payload ?? '')
    })
    client.on('error', (error) => options.onError?.(error))
    try {
      await client.connect()
      for (const channel of options.channels) {
        await client.query(`LISTEN ${client.escapeIdentifier(channel)}`)
      }
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    client.once('end', reconnect)
    options.onConnect?.()
  }
  const reconnect = (): void => {
    if (isClosed) return
    timer = setTimeout(() => {
      connect().catch((error: unknown) => {
        options.onError?.(error instanceof Error ? error : new Error(String(error)))
        reconnect()
      })
    }, options.retryMs ?? 500)
  }

  await connect()
  return {
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await current?.end()
    },
  }
}
