import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { bodyOf, idIn, startTestApi, type TestApi } from './support.js'

let api: TestApi

beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

interface Page {
  readonly data: readonly { readonly id: string }[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

let serial = 0
const upload = async () =>
  idIn(
    await api
      .client()
      .post('/v1/models?name=paged')
      .send(Buffer.from(`paged ${++serial}`)),
  )

describe('walking a list', () => {
  it('shows every row that is there throughout exactly once, whatever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ limit: fc.integer({ min: 1, max: 5 }), change: fc.boolean() }), {
          minLength: 3,
          maxLength: 6,
        }),
        async (steps) => {
          const stay = [await upload(), await upload(), await upload(), await upload()]
          const goes = [await upload(), await upload()]
          const seen: string[] = []
          let cursor: string | null = null
          for (let i = 0; ; i++) {
            const { limit, change } = steps[i % steps.length] ?? { limit: 2, change: false }
            const query = cursor === null ? '' : `&cursor=${cursor}`
            const body = bodyOf(
              await api.client().get(`/v1/models?name=paged&limit=${limit}${query}`),
            )
            const page = body as Page
            seen.push(...page.data.map(({ id }) => id))
            cursor = page.next_cursor
            expect(page.has_more).toBe(cursor !== null)
            if (cursor === null) break
            if (!change) continue
            await upload()
            const gone = goes.pop()
            if (gone !== undefined) await api.client().delete(`/v1/models/${gone}`)
          }
          expect(new Set(seen).size).toBe(seen.length)
          for (const id of stay) expect(seen).toContain(id)
        },
      ),
      { numRuns: 5 },
    )
  })

  it('follows the Link header to the same page as the cursor', async () => {
    const first = await api.client().get('/v1/models?name=paged&limit=2')
    const link = /<([^>]+)>; rel="next"/.exec(String(first.headers['link']))?.[1] ?? ''
    expect(link).toContain('name=paged')
    const cursor = (first.body as Page).next_cursor ?? ''
    const byLink = await api.client().get(link)
    const byCursor = await api.client().get(`/v1/models?name=paged&limit=2&cursor=${cursor}`)
    expect(byLink.body).toEqual(byCursor.body)
  })

  it('refuses a cursor of other filters, and one that was changed', async () => {
    const body = bodyOf(await api.client().get('/v1/models?name=paged&limit=1'))
    const cursor = (body as Page).next_cursor ?? ''
    for (const query of [
      `name=other&cursor=${cursor}`,
      `name=paged&cursor=${cursor.slice(0, -2)}AA`,
    ]) {
      const response = await api.client().get(`/v1/models?${query}`)
      expect(response.status).toBe(400)
      expect(response.body).toMatchObject({ code: 'cursor_invalid' })
    }
  })

  it('takes a limit above the largest as the largest', async () => {
    const response = await api.client().get('/v1/models?limit=100000')
    expect(response.status).toBe(200)
  })
})
