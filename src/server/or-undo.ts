/** Do something; if it fails, undo what was begun for it, and fail as it did. */
export async function orUndo<T>(undo: () => unknown, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await undo()
    throw error
  }
}
