import type { HttpResponse } from '../http/exchange.ts'
import { KeyStoreError } from '../keystore/keystore.ts'
import { done, json, success } from './answer.ts'
import { notAvailable, notReachable } from './error.ts'
import { metricsText } from './figures.ts'
import type { Call, Context, Route } from './route.ts'
import type { Stream } from './telemetry.ts'

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
  const { upTime, cpus, usableCpus, heapBytes, stackBytes } = (await context.figures()).system
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

const metrics = async (_: Call, { figures }: Context): Promise<HttpResponse> => ({
  status: 200,
  headers: { 'Content-Type': METRICS_TYPE },
  body: metricsText(await figures()),
})

const stream =
  (name: Stream): Route['run'] =>
  async ({ request: { signal } }, { telemetry }) => ({
    status: 200,
    headers: { 'Content-Type': LOG_TYPE },
    body: await telemetry[name].listen(signal),
  })
const auditLog = stream('audit')
const errorLog = stream('errors')

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
