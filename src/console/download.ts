/** A file that the browser saves. Nothing is sent anywhere, and the memory is given back at once. */
export function download(name: string, type: string, contents: string | Uint8Array<ArrayBuffer>): void {
  const address = URL.createObjectURL(new Blob([contents], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
