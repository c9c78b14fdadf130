import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'

/** A sentence that is read out when it comes. */
export const Trouble = ({ text }: { readonly text: string | undefined }): JSX.Element => (
  <div role="alert">{text !== undefined && <p class="notice bad">{text}</p>}</div>
)

export const Empty = ({ title, children }: { readonly title: string; readonly children?: ComponentChildren }): JSX.Element => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children}
  </div>
)

interface FieldProps {
  readonly label: string
  readonly hint?: string
  readonly children: (ids: { readonly id: string; readonly 'aria-describedby'?: string }) => JSX.Element
}

/** A label, what is asked for, and a hint. */
export function Field({ label, hint, children }: FieldProps): JSX.Element {
  const id = useId()
  const hintId = `${id}-hint`
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, ...(hint !== undefined && { 'aria-describedby': hintId }) })}
      {hint !== undefined && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
    </div>
  )
}

interface AskedText {
  readonly label: string
  readonly hint?: string
  readonly value: string
  readonly onValue: (value: string) => void
  readonly required?: boolean
  readonly placeholder?: string
}

interface TextProps extends AskedText {
  readonly type?: 'text' | 'search' | 'password'
  readonly autocomplete?: 'off' | 'current-password' | 'new-password'
  /** What a value must look like, as HTML writes it. */
  readonly pattern?: string
  readonly maxLength?: number
}

export const Text = ({ label, hint, value, onValue, type = 'text', ...rest }: TextProps): JSX.Element => (
  <Field label={label} {...(hint !== undefined && { hint })}>
    {ids => (
      <input
        {...ids}
        // Each type has attributes of its own, of which none is used here.
        type={type as 'text'}
        autocomplete="off"
        spellcheck={false}
        {...rest}
        value={value}
        onInput={e => onValue(e.currentTarget.value)}
      />
    )}
  </Field>
)

export const Area = ({ label, hint, value, onValue, rows = 6, ...rest }: AskedText & { readonly rows?: number }): JSX.Element => (
  <Field label={label} {...(hint !== undefined && { hint })}>
    {ids => (
      <textarea
        {...ids}
        class="mono"
        spellcheck={false}
        rows={rows}
        {...rest}
        value={value}
        onInput={e => onValue(e.currentTarget.value)}
      />
    )}
  </Field>
)

interface ChoiceProps {
  readonly label: string
  readonly hint?: string
  readonly value: string
  readonly options: readonly (readonly [value: string, title: string])[]
  readonly onValue: (value: string) => void
}

export const Choice = ({ label, hint, value, options, onValue }: ChoiceProps): JSX.Element => (
  <Field label={label} {...(hint !== undefined && { hint })}>
    {ids => (
      <select {...ids} value={value} onChange={e => onValue(e.currentTarget.value)}>
        {options.map(([key, title]) => (
          <option key={key} value={key} selected={key === value}>
            {title}
          </option>
        ))}
      </select>
    )}
  </Field>
)

interface CheckProps {
  readonly label: string
  readonly checked: boolean
  readonly onChecked: (checked: boolean) => void
  readonly disabled?: boolean
}

export const Check = ({ label, checked, onChecked, disabled = false }: CheckProps): JSX.Element => (
  <label class="check">
    <input type="checkbox" checked={checked} disabled={disabled} onChange={e => onChecked(e.currentTarget.checked)} />
    <span>{label}</span>
  </label>
)

interface FormProps {
  readonly onSubmit: () => void
  readonly class?: string
  readonly label?: string
  readonly children: ComponentChildren
}

export const Form = ({ onSubmit, label, children, ...rest }: FormProps): JSX.Element => (
  <form
    {...rest}
    {...(label !== undefined && { 'aria-label': label })}
    onSubmit={event => {
      event.preventDefault()
      onSubmit()
    }}
  >
    {children}
  </form>
)

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A modal dialog of the browser's own: it keeps the focus inside, closes by Escape, and gives the focus back. */
export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const element = dialog.current
    if (element && !element.open) {
      element.showModal()
      // Rather than on the button that closes it.
      element.querySelector<HTMLElement>('input, select, textarea')?.focus()
    }
    return () => element?.close()
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose}>
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" class="plain close" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  )
}

interface ButtonsProps {
  /** On the button that does it. */
  readonly verb: string
  readonly isBusy: boolean
  readonly onClose: () => void
}

/** The end of a form in a dialog. */
export const Buttons = ({ verb, isBusy, onClose }: ButtonsProps): JSX.Element => (
  <div class="actions">
    <button type="button" onClick={onClose}>
      Cancel
    </button>
    <button type="submit" class="primary" disabled={isBusy}>
      {verb}
    </button>
  </div>
)

interface ConfirmProps {
  readonly title: string
  readonly children: ComponentChildren
  /** On the button that does it. */
  readonly verb: string
  /** What must be typed first, for what cannot be undone. */
  readonly phrase?: string
  readonly isBusy: boolean
  readonly trouble: string | undefined
  readonly onConfirm: () => void
  readonly onClose: () => void
}

export function Confirm({ title, children, verb, phrase, isBusy, trouble, onConfirm, onClose }: ConfirmProps): JSX.Element {
  const [typed, setTyped] = useState('')
  return (
    <Dialog title={title} onClose={onClose}>
      <Form onSubmit={onConfirm}>
        {children}
        {phrase !== undefined && <Text label={`Type “${phrase}” to go on`} value={typed} onValue={setTyped} />}
        <Trouble text={trouble} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={isBusy || (phrase !== undefined && typed !== phrase)}>
            {verb}
          </button>
        </div>
      </Form>
    </Dialog>
  )
}

/** A text to take elsewhere, with a button that copies it. */
export function Copyable({ text, label }: { readonly text: string; readonly label: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false)
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
  }
  return (
    <div class="copyable">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section aria-label={label} tabIndex={0}>
        <pre>{text}</pre>
      </section>
      {window.isSecureContext && (
        <p class="actions">
          <span role="status">{isCopied ? 'Copied' : ''}</span>
          <button type="button" onClick={() => void copy()}>
            Copy
          </button>
        </p>
      )}
    </div>
  )
}
