import type { JSX } from 'preact'
import { SavedForm } from '../asking.tsx'
import { Text } from '../controls.tsx'
import { Shown } from '../page.tsx'
import { useAnswer } from '../use-answer.ts'
import { useDraft } from '../use-draft.ts'

type Field = 'requests_per_second' | 'burst' | 'max_objects'
type Stored = Readonly<Partial<Record<Field, number>>>
type Rows = readonly (readonly [field: Field, label: string, hint: string])[]

/** What the clients of a role may use together, and those of a scope. */
export const RATES: Rows = [
  ['requests_per_second', 'Requests a second', '0: any number.'],
  ['burst', 'At once after a pause', '0: those of a second.'],
]
export const SCOPE_LIMITS: Rows = [...RATES, ['max_objects', 'Managed objects', '0: any number. Destroyed ones count.']]

interface LimitsProps {
  /** Path of the limits in the API. */
  readonly at: string
  readonly fields: Rows
}

/** How much clients may use; 0 is no limit. */
export function Limits({ at, fields }: LimitsProps): JSX.Element {
  const stored = useAnswer(at, ({ api }) => api.read<Stored>(at))
  return (
    <section>
      <h2>Limits</h2>
      <Shown of={stored}>{value => <LimitsForm at={at} fields={fields} stored={value} onSaved={stored.reload} />}</Shown>
    </section>
  )
}

interface FormProps extends LimitsProps {
  readonly stored: Stored
  readonly onSaved: () => void
}

function LimitsForm({ at, fields, stored, onSaved }: FormProps): JSX.Element {
  const shown = (limits: Stored): Readonly<Record<string, string>> =>
    Object.fromEntries(fields.map(([field]) => [field, String(limits[field] ?? 0)]))
  const before = shown(stored)
  const { value: texts, put, reset } = useDraft(stored, shown)
  const change = Object.fromEntries(Object.entries(texts).filter(([field, text]) => text !== before[field]))
  return (
    <SavedForm
      label="Limits"
      verb="Save limits"
      isChanged={Object.keys(change).length > 0}
      note="They count at once."
      act={async ({ api }) => {
        await api.write(at, change)
      }}
      onSaved={onSaved}
      onReset={reset}
    >
      <div class="columns">
        {fields.map(([field, label, hint]) => (
          <Text
            key={field}
            label={label}
            hint={hint}
            required
            pattern="[0-9]{1,15}"
            value={texts[field] ?? ''}
            onValue={text => put({ ...texts, [field]: text })}
          />
        ))}
      </div>
    </SavedForm>
  )
}
