import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { type Api, ApiError } from '../api.ts'
import { type AskProps, Sure } from '../asking.tsx'
import { Buttons, Check, Copyable, Dialog, Form, Text, Trouble } from '../controls.tsx'
import { Ending, Shown, Table, When } from '../page.tsx'
import { type Session, useSession } from '../session.ts'
import { useAction, useAnswer } from '../use-answer.ts'

interface Token {
  readonly accessor: string
  readonly display_name: string
  readonly policies: readonly string[]
  readonly issue_time: string
  /** Null: it does not end. */
  readonly expire_time: string | null
}

/** Each token is a question of its own. */
const PAGE = 50

/** What is known of tokens by their accessors; of one that has ended meanwhile, nothing. */
async function tokensOf(api: Api, accessors: readonly string[]): Promise<readonly Token[]> {
  const found = await Promise.all(
    accessors.map(async accessor => {
      try {
        return [await api.write<Token>('auth/token/lookup-accessor', { accessor })]
      } catch (err) {
        if (err instanceof ApiError && err.messages.some(text => text.includes('invalid accessor'))) return []
        throw err
      }
    }),
  )
  return found.flat()
}

/** The tokens by what is known of them, never themselves; a new one, which is shown once. */
export function Tokens(): JSX.Element {
  const [count, setCount] = useState(PAGE)
  const [asked, setAsked] = useState<{ readonly revoking?: Token }>()
  const tokens = useAnswer(`tokens ${count}`, async ({ api }) => {
    const { keys } = await api.list('auth/token/accessors')
    return { all: keys.length, shown: await tokensOf(api, keys.slice(0, count)) }
  })
  const ask = { onDone: tokens.reload, onClose: () => setAsked(undefined) }
  return (
    <section>
      <div class="section-head">
        <h2>Tokens</h2>
        <button type="button" onClick={() => setAsked({})}>
          New token
        </button>
      </div>
      <Shown of={tokens}>
        {({ all, shown }) => (
          <>
            <Table label="Tokens" heads={['Name', 'Policies', 'Made', 'Ends', 'Accessor', 'Actions']}>
              {shown.map(token => (
                <Row key={token.accessor} token={token} onRevoke={() => setAsked({ revoking: token })} />
              ))}
            </Table>
            {all > count && (
              <p class="more">
                <button type="button" onClick={() => setCount(count + PAGE)}>
                  More of {all}
                </button>
              </p>
            )}
          </>
        )}
      </Shown>
      {asked?.revoking !== undefined && <Revoke token={asked.revoking} {...ask} />}
      {asked !== undefined && asked.revoking === undefined && <NewToken {...ask} />}
    </section>
  )
}

function Row({ token, onRevoke }: { readonly token: Token; readonly onRevoke: () => void }): JSX.Element {
  const { accessor, display_name, policies, issue_time, expire_time } = token
  const { holder } = useSession()
  return (
    <tr>
      <th scope="row">
        {display_name} {accessor === holder.accessor && <span class="tag">yours</span>}
      </th>
      <td>{policies.join(', ')}</td>
      <td class="nowrap">
        <When ms={Date.parse(issue_time)} />
      </td>
      <td>{expire_time === null ? 'never' : <Ending ms={Date.parse(expire_time)} />}</td>
      <td class="mono wrap">{accessor}</td>
      <td>
        <button type="button" aria-label={`Revoke ${display_name} ${accessor}`} onClick={onRevoke}>
          Revoke
        </button>
      </td>
    </tr>
  )
}

function Revoke({ token: { accessor, display_name }, ...ask }: AskProps & { readonly token: Token }): JSX.Element {
  const revoke = async ({ api }: Session): Promise<void> => {
    await api.write('auth/token/revoke-accessor', { accessor })
  }
  return (
    <Sure title={`Revoke ${display_name}`} verb="Revoke" act={revoke} {...ask}>
      <p>The token and all that it made end at once. It cannot be taken back.</p>
      <p class="mono wrap">{accessor}</p>
    </Sure>
  )
}

function NewToken({ onDone, onClose }: AskProps): JSX.Element {
  const [texts, setTexts] = useState({ name: '', policies: '', ttl: '8h' })
  const [renewable, setRenewable] = useState(true)
  const [secret, setSecret] = useState<string>()
  const { isBusy, trouble, run } = useAction()
  const put = (change: Partial<typeof texts>): void => setTexts({ ...texts, ...change })
  const create = (): void =>
    run(async ({ api }) => {
      const { name, policies, ttl } = texts
      const names = policies.split(',').flatMap(text => text.trim() || [])
      setSecret(await api.makeToken({ display_name: name, policies: names, ttl, renewable }))
      onDone?.()
    })
  return (
    <Dialog title="New token" onClose={onClose}>
      {secret === undefined ? (
        <Form onSubmit={create}>
          <div class="columns">
            <Text label="Name" value={texts.name} onValue={name => put({ name })} hint="For lists and the audit log." />
            <Text label="Lifetime" value={texts.ttl} onValue={ttl => put({ ttl })} required hint="Such as 8h or 30d." />
          </div>
          <Text
            label="Policies"
            value={texts.policies}
            onValue={policies => put({ policies })}
            required
            hint="Names, with commas between."
          />
          <Check label="It may be renewed" checked={renewable} onChecked={setRenewable} />
          <Trouble text={trouble} />
          <Buttons verb="Create token" isBusy={isBusy} onClose={onClose} />
        </Form>
      ) : (
        <>
          <p class="notice warn">The token is shown this once. Whoever has it may do what its policies say.</p>
          <Copyable label="Token" text={secret} />
          <div class="actions">
            <button type="button" class="primary" onClick={onClose}>
              Done
            </button>
          </div>
        </>
      )}
    </Dialog>
  )
}
