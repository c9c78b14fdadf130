import { answer, errors, type FakeAnswer, type FakeRequest } from './fake-answers.ts'

interface Version {
  data: unknown
  made: string
  deleted: boolean
  destroyed: boolean
  /** Written while the mount had `delete_version_after`. */
  mortal?: boolean
}

const MISSING = errors(404)
const CONFLICT = errors(400, 'check-and-set parameter did not match the current version')
const TOO_LARGE = errors(500, '1 error occurred:\n\t* put failed due to value being too large; got 1126456 bytes, max: 1048576 bytes\n\n')

/** A KV engine, of either version. */
export class FakeKv {
  readonly #version: 1 | 2
  readonly #entries = new Map<string, Version[]>()
  casRequired = false
  /** The mount has `delete_version_after`: what is written is to be deleted. */
  mortal = false
  /** Paths where nothing may be overwritten. */
  createOnly: RegExp | undefined
  maxBytes = 1024 * 1024

  constructor(version: 1 | 2) {
    this.#version = version
  }

  get paths(): string[] {
    return [...this.#entries.keys()].sort()
  }

  isMortal(path: string): boolean {
    return this.#entries.get(path)?.at(-1)?.mortal === true
  }

  handle(request: FakeRequest, path: string): FakeAnswer {
    const [kind, ...rest] = path.split('/')
    if (this.#version === 1) return this.#v1(request, path)
    const key = rest.join('/')
    if (kind === 'metadata') {
      if (request.isList) return this.#list(key)
      if (request.method === 'DELETE') this.#entries.delete(key)
      return request.method === 'DELETE' ? answer(204) : MISSING
    }
    if (kind === 'destroy') return this.#destroy(key, request.body.versions as number[])
    if (kind !== 'data') return errors(404)
    if (request.method === 'GET') return this.#read(key)
    if (request.method === 'DELETE') return this.#delete(key)
    return this.#write(key, request)
  }

  #v1(request: FakeRequest, key: string): FakeAnswer {
    if (request.isList) return this.#list(key)
    if (request.method === 'GET') {
      const data = this.#entries.get(key)?.[0]?.data
      return data === undefined ? MISSING : answer(200, { data: sorted(data), lease_duration: 2764800 })
    }
    if (request.method === 'DELETE') this.#entries.delete(key)
    else if (this.createOnly?.test(key) && this.#entries.has(key)) return errors(403, '1 error occurred:\n\t* permission denied\n\n')
    else this.#entries.set(key, [{ data: request.body, made: '', deleted: false, destroyed: false }])
    return answer(204)
  }

  #read(key: string): FakeAnswer {
    const versions = this.#entries.get(key)
    const last = versions?.at(-1)
    if (!versions || !last) return MISSING
    const metadata = {
      version: versions.length,
      created_time: last.made,
      destroyed: last.destroyed,
      deletion_time: last.deleted ? '2026-01-01T00:00:00Z' : endOf(last),
    }
    if (last.deleted || last.destroyed) return answer(404, { data: { data: null, metadata } })
    return answer(200, { data: { data: sorted(last.data), metadata } })
  }

  #write(key: string, { body }: FakeRequest): FakeAnswer {
    const versions = this.#entries.get(key) ?? []
    if (this.createOnly?.test(key) && versions.length > 0) return errors(403, '1 error occurred:\n\t* permission denied\n\n')
    if (body.data === undefined) return errors(400, 'no data provided')
    if (JSON.stringify(body).length > this.maxBytes) return TOO_LARGE
    const cas = (body.options as { cas?: number } | undefined)?.cas
    if (cas === undefined && this.casRequired) return errors(400, 'check-and-set parameter required for this call')
    if (cas !== undefined && cas !== versions.length) return CONFLICT
    const made: Version = { data: body.data, made: new Date().toISOString(), deleted: false, destroyed: false, mortal: this.mortal }
    versions.push(made)
    this.#entries.set(key, versions)
    return answer(200, { data: { version: versions.length, deletion_time: endOf(made) } })
  }

  #delete(key: string): FakeAnswer {
    const last = this.#entries.get(key)?.at(-1)
    if (last) last.deleted = true
    return answer(204)
  }

  #destroy(key: string, versions: readonly number[]): FakeAnswer {
    for (const version of versions) {
      const found = this.#entries.get(key)?.[version - 1]
      if (found) Object.assign(found, { destroyed: true, data: null })
    }
    return answer(204)
  }

  #list(folder: string): FakeAnswer {
    const prefix = folder === '' ? '' : `${folder.replace(/\/$/, '')}/`
    const below = this.paths.filter(path => path.startsWith(prefix)).map(path => path.slice(prefix.length))
    const keys = [...new Set(below.map(path => (path.includes('/') ? `${path.split('/', 1)[0]}/` : path)))]
    return keys.length === 0 ? MISSING : answer(200, { data: { keys } })
  }
}

const endOf = ({ mortal }: Version): string => (mortal ? '2099-01-01T00:00:00Z' : '')

/** Vault stores what it parsed, and writes object keys in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}
