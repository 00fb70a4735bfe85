import { type Db, first, firstOrNull } from './db.js'
import { newId } from './ids.js'

export interface Project {
  readonly id: string
  readonly name: string
  readonly createdAt: Date
}

const COLUMNS = 'id, name, created_at AS "createdAt"'

/** The project of that name, made when it does not exist. Safe to call at every start. */
export async function ensureProject(db: Db, name: string): Promise<Project> {
  const inserted = await db.query<Project>(
    `INSERT INTO project (id, name) VALUES ($1, $2)
     ON CONFLICT (name) DO NOTHING RETURNING ${COLUMNS}`,
    [newId('project'), name],
  )
  return firstOrNull(inserted) ?? first(await selectByName(db, name))
}

function selectByName(db: Db, name: string) {
  return db.query<Project>(`SELECT ${COLUMNS} FROM project WHERE name = $1`, [name])
}
