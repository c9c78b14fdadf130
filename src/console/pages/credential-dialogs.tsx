import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { CredentialAnswer } from '../answers.ts'
import { path } from '../api.ts'
import { Area, Buttons, Check, Choice, Copyable, Dialog, Form, Text, Trouble } from '../controls.tsx'
import { bundleOf, credentialFile } from '../credential-file.ts'
import { download } from '../download.ts'
import { useSession } from '../session.ts'
import { useAction } from '../use-answer.ts'

interface DialogProps {
  readonly scope: string
  readonly role: string
  readonly onMade: () => void
  readonly onClose: () => void
}

type Format = 'pem' | 'pkcs12'
const FORMATS: readonly (readonly [format: Format, title: string])[] = [
  ['pem', 'PEM: key, certificate and chain in one file'],
  ['pkcs12', 'PKCS#12: one file under a password'],
]

interface NewCredentialProps extends DialogProps {
  /** Serial number of the credential that its holder gets another one for. */
  readonly replaces?: string
}

/** Makes a key with a certificate, and hands them over once. */
export function NewCredential({ scope, role, replaces, onMade, onClose }: NewCredentialProps): JSX.Element {
  const { mount } = useSession()
  const [format, setFormat] = useState<Format>('pem')
  const [password, setPassword] = useState('')
  const [revoke, setRevoke] = useState(false)
  const [made, setMade] = useState<CredentialAnswer>()
  const { isBusy, trouble, run } = useAction()
  const [verb, old] = replaces === undefined ? ['generate', {}] : ['renew', { serial_number: replaces, revoke }]
  const generate = (): void =>
    run(async ({ api }) => {
      const body = { ...old, format, ...(format === 'pkcs12' && { password }) }
      const answer = await api.write<CredentialAnswer>(path(mount, 'scope', scope, 'role', role, 'credential', verb), body)
      save(scope, role, answer)
      setMade(answer)
      onMade()
    })
  return (
    <Dialog title={replaces === undefined ? `New credential of ${role}` : 'Renew credential'} onClose={onClose}>
      {made ? (
        <Made scope={scope} role={role} answer={made} onClose={onClose}>
          <p class="notice warn">This file is the only copy of the private key. Once this window is closed, kmipd cannot give it again.</p>
        </Made>
      ) : (
        <Form onSubmit={generate}>
          <Choice label="File" value={format} options={FORMATS} onValue={value => setFormat(value === 'pkcs12' ? 'pkcs12' : 'pem')} />
          {format === 'pkcs12' && (
            <Text
              label="Password of the file"
              type="password"
              autocomplete="new-password"
              required
              value={password}
              onValue={setPassword}
              hint="kmipd does not keep it."
            />
          )}
          {replaces !== undefined && (
            <Check label="Revoke the old one at once: until then both are good" checked={revoke} onChecked={setRevoke} />
          )}
          <Trouble text={trouble} />
          <Buttons verb={isBusy ? 'Making the key …' : 'Generate and download'} isBusy={isBusy} onClose={onClose} />
        </Form>
      )}
    </Dialog>
  )
}

/** Signs the key of a certificate request, so that the private key never leaves the client. */
export function SignRequest({ scope, role, onMade, onClose }: DialogProps): JSX.Element {
  const { mount } = useSession()
  const [csr, setCsr] = useState('')
  const [made, setMade] = useState<CredentialAnswer>()
  const { isBusy, trouble, run } = useAction()
  const sign = (): void =>
    run(async ({ api }) => {
      const answer = await api.write<CredentialAnswer>(path(mount, 'scope', scope, 'role', role, 'credential', 'sign'), {
        csr,
        format: 'pem',
      })
      setMade(answer)
      onMade()
    })
  return (
    <Dialog title={`Sign a request for ${role}`} onClose={onClose}>
      {made ? (
        <Made scope={scope} role={role} answer={made} onClose={onClose}>
          <Copyable label="Certificate and chain" text={bundleOf(made)} />
        </Made>
      ) : (
        <Form onSubmit={sign}>
          <Area
            label="Certificate request"
            required
            value={csr}
            onValue={setCsr}
            placeholder="-----BEGIN CERTIFICATE REQUEST-----"
            hint="PKCS#10 as PEM. Its key must be of the role’s kind; the subject is replaced."
          />
          <Trouble text={trouble} />
          <Buttons verb="Sign" isBusy={isBusy} onClose={onClose} />
        </Form>
      )}
    </Dialog>
  )
}

interface MadeProps {
  readonly scope: string
  readonly role: string
  readonly answer: CredentialAnswer
  readonly onClose: () => void
  readonly children: ComponentChildren
}

const Made = ({ scope, role, answer, onClose, children }: MadeProps): JSX.Element => (
  <>
    <p role="status">
      Credential <span class="mono wrap">{answer.serial_number}</span> is ready.
    </p>
    {children}
    <div class="actions">
      <button type="button" onClick={() => save(scope, role, answer)}>
        Download
      </button>
      <button type="button" class="primary" onClick={onClose}>
        Done
      </button>
    </div>
  </>
)

function save(scope: string, role: string, answer: CredentialAnswer): void {
  const { name, type, contents } = credentialFile(scope, role, answer)
  download(name, type, contents)
}
