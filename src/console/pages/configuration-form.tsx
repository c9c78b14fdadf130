import type { JSX } from 'preact'
import type { Configuration } from '../answers.ts'
import { ApiError, path } from '../api.ts'
import { SavedForm } from '../asking.tsx'
import { Choice, Empty, Text, Trouble } from '../controls.tsx'
import { KEY_KINDS, VERSIONS, withKnown } from '../key-kinds.ts'
import { Shown } from '../page.tsx'
import { useSession } from '../session.ts'
import { useAction, useAnswer } from '../use-answer.ts'
import { useDraft } from '../use-draft.ts'

/** The fields as they stand in the form: texts, lists with commas. */
type Texts = { readonly [field in keyof Configuration]: string }

const textsOf = (configuration: Configuration): Texts => ({
  listen_addrs: configuration.listen_addrs.join(', '),
  server_hostnames: configuration.server_hostnames.join(', '),
  server_ips: configuration.server_ips.join(', '),
  tls_ca_key_type: configuration.tls_ca_key_type,
  tls_ca_key_bits: String(configuration.tls_ca_key_bits),
  tls_min_version: configuration.tls_min_version,
  default_tls_client_key_type: configuration.default_tls_client_key_type,
  default_tls_client_key_bits: String(configuration.default_tls_client_key_bits),
  default_tls_client_ttl: `${configuration.default_tls_client_ttl / 3600}h`,
})

/** The configuration of the engine; one that was never written can be written here. */
export function ConfigurationForm(): JSX.Element {
  const { mount } = useSession()
  const at = path(mount, 'config')
  const configuration = useAnswer(at, async ({ api }) => {
    try {
      return { written: await api.read<Configuration>(at) }
    } catch (err) {
      if (err instanceof ApiError && err.status === 404) return {}
      throw err
    }
  })
  const { isBusy, trouble, run } = useAction()
  const begin = (): void =>
    run(async ({ api }) => {
      await api.write(at, {})
      configuration.reload()
    })
  return (
    <section>
      <h2>Configuration of {mount}</h2>
      <Shown of={configuration}>
        {({ written }) =>
          written ? (
            <Fields at={at} written={written} onSaved={configuration.reload} />
          ) : (
            <Empty title="Never configured; the defaults count">
              <Trouble text={trouble} />
              <button type="button" disabled={isBusy} onClick={begin}>
                Write the defaults down
              </button>
            </Empty>
          )
        }
      </Shown>
    </section>
  )
}

interface FieldsProps {
  readonly at: string
  readonly written: Configuration
  readonly onSaved: () => void
}

function Fields({ at, written, onSaved }: FieldsProps): JSX.Element {
  const before = textsOf(written)
  const draft = useDraft(written, textsOf)
  const texts = draft.value
  const put = (change: Partial<Texts>): void => draft.put({ ...texts, ...change })
  const change = Object.fromEntries(Object.entries(texts).filter(([field, text]) => text !== before[field as keyof Texts]))
  const caKey = `${texts.tls_ca_key_type} ${texts.tls_ca_key_bits}`
  const clientKey = `${texts.default_tls_client_key_type} ${texts.default_tls_client_key_bits}`
  return (
    <SavedForm
      label="Configuration"
      verb="Save configuration"
      isChanged={Object.keys(change).length > 0}
      act={async ({ api }) => {
        await api.write(at, change)
      }}
      onSaved={onSaved}
      onReset={draft.reset}
    >
      <div class="columns">
        <Text
          label="Addresses of the listener"
          value={texts.listen_addrs}
          onValue={listen_addrs => put({ listen_addrs })}
          hint="host:port, with commas between."
        />
        <Choice
          label="TLS"
          value={texts.tls_min_version}
          options={withKnown(VERSIONS, texts.tls_min_version)}
          onValue={tls_min_version => put({ tls_min_version })}
        />
        <Text
          label="Names in the listener’s certificate"
          value={texts.server_hostnames}
          onValue={server_hostnames => put({ server_hostnames })}
        />
        <Text label="Addresses in the listener’s certificate" value={texts.server_ips} onValue={server_ips => put({ server_ips })} />
        <Choice
          label="Key of the CA"
          value={caKey}
          options={withKnown(KEY_KINDS, caKey)}
          hint="Another one makes a new CA; clients of the old one are still let in."
          onValue={value => {
            const [tls_ca_key_type = '', tls_ca_key_bits = ''] = value.split(' ')
            put({ tls_ca_key_type, tls_ca_key_bits })
          }}
        />
        <Choice
          label="Keys of clients"
          value={clientKey}
          options={withKnown(KEY_KINDS, clientKey)}
          hint="Unless their role says otherwise."
          onValue={value => {
            const [default_tls_client_key_type = '', default_tls_client_key_bits = ''] = value.split(' ')
            put({ default_tls_client_key_type, default_tls_client_key_bits })
          }}
        />
        <Text
          label="Lifetime of client certificates"
          value={texts.default_tls_client_ttl}
          onValue={default_tls_client_ttl => put({ default_tls_client_ttl })}
          hint="Such as 90d or 336h, unless their role says otherwise."
        />
      </div>
    </SavedForm>
  )
}
