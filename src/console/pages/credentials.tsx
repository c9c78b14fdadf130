import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { type AskProps, Sure } from '../asking.tsx'
import { Empty } from '../controls.tsx'
import { Ending, Shown, Table, When } from '../page.tsx'
import { type Session, useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { NewCredential, SignRequest } from './credential-dialogs.tsx'

/** What the list says of each serial number. Times as ISO 8601. */
interface CredentialInfo {
  readonly created?: string
  readonly expiration?: string
}

interface CredentialsProps {
  readonly scope: string
  readonly role: string
}

type Asked = { readonly what: 'generate' | 'sign' } | { readonly what: 'renew' | 'revoke'; readonly serial: string }

/** The credentials of a role. */
export function Credentials({ scope, role }: CredentialsProps): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<Asked>()
  const at = path(mount, 'scope', scope, 'role', role, 'credential')
  const credentials = useAnswer(at, ({ api }) => api.list<CredentialInfo>(at))
  const close = (): void => setAsked(undefined)
  return (
    <section>
      <div class="section-head">
        <h2>Credentials</h2>
        <div class="actions">
          <button type="button" onClick={() => setAsked({ what: 'sign' })}>
            Sign a request
          </button>
          <button type="button" class="primary" onClick={() => setAsked({ what: 'generate' })}>
            New credential
          </button>
        </div>
      </div>
      <Shown of={credentials}>
        {({ keys, key_info = {} }) =>
          keys.length === 0 ? (
            <Empty title="No credentials yet">
              <p>A credential is a client certificate with its key. The key is shown once and kept nowhere.</p>
            </Empty>
          ) : (
            <Table label="Credentials" heads={['Serial number', 'Made', 'Ends', 'Actions']}>
              {keys.map(serial => (
                <tr key={serial}>
                  <th scope="row" class="mono serial" title={serial}>
                    {serial}
                  </th>
                  <td>
                    <Time text={key_info[serial]?.created} />
                  </td>
                  <td>
                    <End text={key_info[serial]?.expiration} />
                  </td>
                  <td class="actions">
                    <button type="button" aria-label={`Renew ${serial}`} onClick={() => setAsked({ what: 'renew', serial })}>
                      Renew
                    </button>
                    <button type="button" aria-label={`Revoke ${serial}`} onClick={() => setAsked({ what: 'revoke', serial })}>
                      Revoke
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shown>
      {asked?.what === 'generate' && <NewCredential scope={scope} role={role} onMade={credentials.reload} onClose={close} />}
      {asked?.what === 'renew' && (
        <NewCredential scope={scope} role={role} replaces={asked.serial} onMade={credentials.reload} onClose={close} />
      )}
      {asked?.what === 'sign' && <SignRequest scope={scope} role={role} onMade={credentials.reload} onClose={close} />}
      {asked?.what === 'revoke' && <Revoke at={at} serial={asked.serial} onDone={credentials.reload} onClose={close} />}
    </section>
  )
}

const Time = ({ text }: { readonly text: string | undefined }): JSX.Element =>
  text === undefined ? <>–</> : <When ms={Date.parse(text)} />
const End = ({ text }: { readonly text: string | undefined }): JSX.Element =>
  text === undefined ? <>–</> : <Ending ms={Date.parse(text)} />

function Revoke({ at, serial, ...ask }: AskProps & { readonly at: string; readonly serial: string }): JSX.Element {
  const revoke = async ({ api }: Session): Promise<void> => {
    await api.write(`${at}/revoke`, { serial_number: serial })
  }
  return (
    <Sure title="Revoke credential" verb="Revoke" act={revoke} {...ask}>
      <p>The client that uses it is cut off at once, on connections that are open too. It cannot be taken back.</p>
      <p class="mono wrap">{serial}</p>
    </Sure>
  )
}
