import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { SavedForm, Sure } from '../asking.tsx'
import { Area } from '../controls.tsx'
import { Page, Shown } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { useAnswer } from '../use-answer.ts'
import { useDraft } from '../use-draft.ts'

export const policyPath = (name: string): string => path('sys', 'policies', 'acl', name)

interface Policy {
  readonly policy: string
}

/** One policy as the text that it is. */
export function PolicyPage({ name }: { readonly name: string }): JSX.Element {
  const [isDeleting, setDeleting] = useState(false)
  const stored = useAnswer(policyPath(name), ({ api }) => api.read<Policy>(policyPath(name)))
  return (
    <Page
      title={name}
      trail={[['Access', hrefOf('access')]]}
      actions={
        <button type="button" onClick={() => setDeleting(true)}>
          Delete policy
        </button>
      }
    >
      <Shown of={stored}>{policy => <Editor name={name} stored={policy} onSaved={stored.reload} />}</Shown>
      {isDeleting && (
        <Sure
          title={`Delete policy ${name}`}
          verb="Delete policy"
          act={({ api }) => api.remove(policyPath(name))}
          onDone={() => {
            location.hash = hrefOf('access')
          }}
          onClose={() => setDeleting(false)}
        >
          <p>Tokens that have it lose at once what it allows.</p>
        </Sure>
      )}
    </Page>
  )
}

interface EditorProps {
  readonly name: string
  readonly stored: Policy
  readonly onSaved: () => void
}

function Editor({ name, stored, onSaved }: EditorProps): JSX.Element {
  const text = useDraft(stored, ({ policy }) => policy)
  return (
    <SavedForm
      label="Text of the policy"
      verb="Save policy"
      isChanged={text.value !== stored.policy}
      note="It counts at once for the tokens that have it."
      act={async ({ api }) => {
        await api.write(policyPath(name), { policy: text.value })
      }}
      onSaved={onSaved}
      onReset={text.reset}
    >
      <Area label="Policy" value={text.value} onValue={text.put} required rows={18} />
    </SavedForm>
  )
}
