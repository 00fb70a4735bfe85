// What a session is fed: the batch, with floats in the type its inputs have. Original and result may
// differ there: a result in float16 throughout takes float16.
import { castFloats, type Feeds, mapFeeds } from '@pare/datasets'
import type { InferenceSession } from '@pare/inference'

export type { Feeds } from '@pare/datasets'

type InputTypes = Pick<InferenceSession['inputs'][number], 'name' | 'dataType'>

/** The same feeds with float16 and float32 exchanged where the session's input has the other type. */
export function feedsFor(
  { inputs }: { readonly inputs: readonly InputTypes[] },
  feeds: Feeds,
): Feeds {
  const types = new Map(inputs.map(({ name, dataType }) => [name, dataType]))
  return mapFeeds(feeds, (tensor, name) => castFloats(tensor, types.get(name)))
}
