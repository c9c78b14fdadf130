import type { Connection } from './sqlite-connection.ts'
import { StoreError } from './store.ts'

/** Marks the file as ours: "kmip". */
const APPLICATION_ID = 0x6b6d6970

/** Step n brings a file from version n to n + 1. A step that was released is never changed; a change of the schema is a new step. */
export const MIGRATIONS: readonly string[] = [
  `
  -- Partitions have long names that would otherwise stand in each index entry.
  create table partition (number integer primary key, name text not null unique);

  create table record (
    -- In the order of their making; never given again.
    sequence integer primary key,
    partition integer not null,
    id text not null,
    revision integer not null,
    -- Its entries in the table below, in one piece.
    terms blob not null,
    body blob not null,
    unique (partition, id)
  );
  create index record_by_age on record (partition, sequence);

  -- Terms are scattered, so each costs a page of its own in every commit: a claim is no entry more but a mark on the term.
  create table term (
    partition integer not null,
    term blob not null,
    sequence integer not null,
    claimed integer not null,
    primary key (partition, term, sequence)
  ) without rowid;

  create table next (sequence integer not null);
  insert into next values (1);
  `,
]

/** The schema version of the file, 0 for an empty one. @throws StoreError `damaged`: a database of something else */
export function schemaVersion(db: Connection): number {
  if (db.pragma('application_id', { simple: true }) === APPLICATION_ID)
    return db.prepare<[], number>('select version from schema').pluck().get()!
  if (db.prepare('select 1 from sqlite_schema').get())
    throw new StoreError('damaged', 'the file is a database of another program: check the path of the store')
  return 0
}

/**
 * Bring the file to the newest schema, each step in the same transaction as its version.
 * @param lockOut called before an existing schema is changed; throws while a server uses the file
 * @throws StoreError `unavailable`: the file was written by a newer kmipd, or is in use
 */
export function migrate(db: Connection, migrations: readonly string[], lockOut: () => void): void {
  const version = schemaVersion(db)
  if (version > migrations.length)
    throw new StoreError(
      'unavailable',
      `the store has schema version ${version}, and this kmipd knows ${migrations.length}: it was written by a newer kmipd, use that one`,
    )
  if (version === migrations.length) return
  if (version > 0) lockOut()
  db.transaction(() => {
    // Another process may have been faster.
    const from = schemaVersion(db)
    if (from === 0) {
      db.pragma(`application_id = ${APPLICATION_ID}`)
      db.exec('create table schema (version integer not null); insert into schema values (0)')
    }
    for (const step of migrations.slice(from)) db.exec(step)
    db.prepare('update schema set version = ?').run(migrations.length)
  }).immediate()
}
