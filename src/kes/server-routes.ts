import type { HttpResponse } from '../http/exchange.ts'
import { KeyStoreError } from '../keystore/keystore.ts'
import { done, json, success } from './answer.ts'
import type { Broadcast } from './broadcast.ts'
import { notAvailable, notReachable } from './error.ts'
import type { Call, Context, Route } from './route.ts'

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'
const LOG_TYPE = 'application/x-ndjson'

const version = (_: Call, { version }: Context): HttpResponse => success(json({ version, commit: '' }))

async function ready(_: Call, { keys }: Context): Promise<HttpResponse> {
  await keys.status().catch((error: unknown) => {
    throw isUnreachable(error) ? notReachable(error) : notAvailable(error)
  })
  return done
}

async function status(call: Call, context: Context): Promise<HttpResponse> {
  const { upTime, cpus, usableCpus, heapBytes, stackBytes } = context.system()
  return success(
    json({
      version: context.version,
      os: process.platform,
      arch: ARCHITECTURES[process.arch] ?? process.arch,
      uptime: Math.floor(upTime),
      num_cpu: cpus,
      num_cpu_used: usableCpus,
      mem_heap_used: heapBytes,
      mem_stack_used: stackBytes,
      ...(await keyStoreStatus(call, context)),
    }),
  )
}

/** The SDK takes no store for unreachable that is not said to be unavailable as well. */
async function keyStoreStatus(call: Call, context: Context): Promise<object> {
  try {
    return { keystore_latency: Math.max(1, Math.round(await context.keys.status())) }
  } catch (error) {
    context.fault(error, call)
    return isUnreachable(error) ? { keystore_unavailable: true, keystore_unreachable: true } : { keystore_unavailable: true }
  }
}

/** As Go names them. */
const ARCHITECTURES: { readonly [arch: string]: string } = { x64: 'amd64', ia32: '386' }

const isUnreachable = (error: unknown): boolean => error instanceof KeyStoreError && error.code === 'unreachable'

const api = (_: Call, { routes }: Context): HttpResponse =>
  success(
    json(
      routes
        .filter(({ isCurrent }) => isCurrent)
        .map(({ method, path, maxBody, timeoutMs }) => ({ method, path, max_body: maxBody, timeout: Math.floor(timeoutMs / 1000) })),
    ),
  )

const metrics = (_: Call, { telemetry, system }: Context): HttpResponse => ({
  status: 200,
  headers: { 'Content-Type': METRICS_TYPE },
  body: telemetry.text(system()),
})

const stream = ({ request: { signal } }: Call, source: Broadcast): HttpResponse => ({
  status: 200,
  headers: { 'Content-Type': LOG_TYPE },
  body: source.listen(signal),
})
const auditLog = (call: Call, { telemetry }: Context): HttpResponse => stream(call, telemetry.audit)
const errorLog = (call: Call, { telemetry }: Context): HttpResponse => stream(call, telemetry.errors)

const row = (path: string, timeoutMs: number, run: Route['run'], auth: Route['auth'] = 'policy', isCurrent = true): Route => ({
  method: 'GET',
  path,
  maxBody: 0,
  timeoutMs,
  auth,
  isCurrent,
  run,
})

export const SERVER_ROUTES: readonly Route[] = [
  row('/version', 10_000, version, 'none'),
  row('/v1/ready', 15_000, ready),
  row('/v1/status', 15_000, status),
  row('/v1/metrics', 15_000, metrics),
  row('/v1/api', 10_000, api),
  row('/v1/log/error', 0, errorLog),
  row('/v1/log/audit', 0, auditLog),
  // Names of before 2022.
  row('/v1/log/error/trace', 0, errorLog, 'policy', false),
  row('/v1/log/audit/trace', 0, auditLog, 'policy', false),
]
