// What a session is fed: the batch, with floats in the type its inputs have. Original and result may
// differ there: a result in float16 throughout takes float16.
import { castFloats } from '@pare/datasets'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

export type Feeds = Readonly<Record<string, RuntimeTensor>>

/** The same feeds with float16 and float32 exchanged where the session's input has the other type. */
export function feedsFor(session: Pick<InferenceSession, 'inputs'>, feeds: Feeds): Feeds {
  const types = new Map(session.inputs.map(({ name, dataType }) => [name, dataType]))
  const cast = Object.entries(feeds).map(
    ([name, tensor]) => [name, castFloats(tensor, types.get(name))] as const,
  )
  return Object.fromEntries(cast)
}
