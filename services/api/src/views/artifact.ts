import type { Artifact as ArtifactView } from '@pare/contracts'
import type { Artifact } from '@pare/database'

export function viewArtifact(artifact: Artifact): ArtifactView {
  const { id, jobId, kind, name, sha256, sizeBytes, mediaType, createdAt } = artifact
  return {
    id,
    job: jobId,
    kind,
    name,
    sha256,
    size_bytes: sizeBytes,
    media_type: mediaType,
    created_at: createdAt.toISOString(),
    links: { content: `/v1/artifacts/${id}/content` },
  }
}
