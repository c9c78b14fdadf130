import { CopyStore } from '../../src/store/copy-store.ts'
import type { LogStore } from '../../src/store/log-store.ts'
import { answerLook, RemoteCopy } from '../../src/store/remote-copy.ts'
import { RemoteWriter } from '../../src/store/remote-writer.ts'

/** The store of another process of the same server, without the other process. */
export function copyOf(log: LogStore, stalenessMs = 0): CopyStore {
  const writer: RemoteWriter = new RemoteWriter((parcel, units) => {
    void log.forward(units).then(verdicts => writer.settle(parcel, verdicts))
  })
  const copy = new RemoteCopy(log.path, question => {
    void answerLook(log).then(answer => copy.settle(question, answer))
  })
  log.onMove(path => copy.move(path))
  return new CopyStore({ writer, copy, stalenessMs })
}
