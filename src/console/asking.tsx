import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Buttons, Confirm, Dialog, Form, Trouble } from './controls.tsx'
import type { Session } from './session.ts'
import { useAction } from './use-answer.ts'

interface AskingProps {
  readonly title: string
  /** On the button that does it. */
  readonly verb: string
  /** What is done; what the server refuses is told, and the dialog stays. */
  readonly act: (session: Session) => Promise<void>
  readonly onDone?: () => void
  readonly onClose: () => void
  readonly children?: ComponentChildren
}

/** What a page needs of a dialog that changes what it shows. */
export type AskProps = Pick<AskingProps, 'onDone' | 'onClose'>

function useDone({ act, onDone, onClose }: AskingProps) {
  const { run, ...state } = useAction()
  const done = (): void =>
    run(async session => {
      await act(session)
      onDone?.()
      onClose()
    })
  return { done, ...state }
}

/** A form in a dialog, which closes when the server has taken it. */
export function FormDialog(props: AskingProps): JSX.Element {
  const { done, isBusy, trouble } = useDone(props)
  const { title, verb, onClose, children } = props
  return (
    <Dialog title={title} onClose={onClose}>
      <Form onSubmit={done}>
        {children}
        <Trouble text={trouble} />
        <Buttons verb={verb} isBusy={isBusy} onClose={onClose} />
      </Form>
    </Dialog>
  )
}

/** A question before something ends. @param phrase what must be typed first, for what cannot be undone */
export function Sure(props: AskingProps & { readonly phrase?: string }): JSX.Element {
  const { done, isBusy, trouble } = useDone(props)
  const { title, verb, phrase, onClose, children } = props
  return (
    <Confirm {...{ title, verb, isBusy, trouble, onClose }} {...(phrase !== undefined && { phrase })} onConfirm={done}>
      {children}
    </Confirm>
  )
}

interface SavedFormProps {
  readonly label: string
  /** On the button that saves. */
  readonly verb: string
  /** Whether there is something to save. */
  readonly isChanged: boolean
  /** Said while there is. */
  readonly note?: string
  readonly act: (session: Session) => Promise<void>
  readonly onSaved: () => void
  readonly onReset: () => void
  readonly children: ComponentChildren
}

/** A form in a page that shows what is stored, and stores what was changed. */
export function SavedForm({ label, verb, isChanged, note, act, onSaved, onReset, children }: SavedFormProps): JSX.Element {
  const [isSaved, setSaved] = useState(false)
  const { isBusy, trouble, run, clear } = useAction()
  const save = (): void =>
    run(async session => {
      await act(session)
      setSaved(true)
      onSaved()
    })
  const reset = (): void => {
    onReset()
    clear()
  }
  return (
    <Form onSubmit={save} label={label}>
      {children}
      <Trouble text={trouble} />
      <div class="actions">
        <p role="status" class="muted">
          {isChanged ? note : isSaved ? 'Saved.' : ''}
        </p>
        <button type="button" disabled={!isChanged} onClick={reset}>
          Reset
        </button>
        <button type="submit" class="primary" disabled={!isChanged || isBusy}>
          {verb}
        </button>
      </div>
    </Form>
  )
}
