// Inside this scope a body of any media type is left in the socket: the handler streams it.
import type { FastifyInstance } from 'fastify'

export function takeRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null)
  })
}

const DEFAULT_MEDIA_TYPE = 'application/octet-stream'

/** Without parameters; what is not a media type counts as bytes. */
export function mediaTypeOf(header: string | undefined): string {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/.test(type) ? type : DEFAULT_MEDIA_TYPE
}
