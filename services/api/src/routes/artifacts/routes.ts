import { type Artifact, getArtifact } from '@pare/database'
import type { FastifyRequest } from 'fastify'

import type { ApiDeps } from '../../deps.js'
import { errors } from '../../errors.js'
import { viewArtifact } from '../../views/artifact.js'
import type { RoutePlugin } from '../route-plugin.js'
import { parseRange } from './range.js'
import { getArtifactSchema, getContentSchema } from './schemas.js'

const PRESIGNED_SECONDS = 900

export const artifactRoutes: RoutePlugin = (app, { deps }, done) => {
  const { store } = deps

  app.get('/artifacts/:id', { schema: getArtifactSchema }, async (request) =>
    viewArtifact(await requireArtifact(deps, request, request.params.id)),
  )

  app.get('/artifacts/:id/content', { schema: getContentSchema }, async (request, reply) => {
    const artifact = await requireArtifact(deps, request, request.params.id)
    const url = request.query.redirect === true ? await presigned(deps, artifact) : undefined
    if (url !== undefined) return reply.header('cache-control', 'no-store').redirect(url, 302)
    void reply.headers(contentHeaders(artifact))
    if (request.headers['if-none-match']?.includes(artifact.sha256) === true) {
      return reply.code(304).send(null)
    }
    const range = parseRange(request.headers.range, artifact.sizeBytes)
    if (range === undefined) {
      void reply.header('content-length', artifact.sizeBytes)
      return reply.send(await store.get(artifact.sha256))
    }
    void reply.code(206).header('content-length', range.end - range.start + 1)
    void reply.header('content-range', `bytes ${range.start}-${range.end}/${artifact.sizeBytes}`)
    return reply.send(await store.get(artifact.sha256, range))
  })

  done()
}

async function requireArtifact(
  { pool }: ApiDeps,
  { principal }: FastifyRequest,
  id: string,
): Promise<Artifact> {
  const artifact = await getArtifact(pool, { projectId: principal.projectId, id })
  if (artifact !== null) return artifact
  throw errors.artifact_not_found(`there is no artifact ${id.slice(0, 64)}`)
}

function presigned({ store }: ApiDeps, artifact: Artifact): Promise<string> | undefined {
  return store.presignGet?.(artifact.sha256, {
    expiresInSeconds: PRESIGNED_SECONDS,
    fileName: artifact.name,
    contentType: artifact.mediaType,
  })
}

function contentHeaders({ sha256, name, mediaType }: Artifact): Record<string, string> {
  return {
    'content-type': mediaType,
    'content-disposition': `attachment; filename="${name.replaceAll(/[^\w.-]/g, '_')}"`,
    etag: `"${sha256}"`,
    'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
  }
}
