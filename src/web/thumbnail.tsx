import { useEffect, useState } from 'preact/hooks'

/** An object URL of a file, for as long as it is shown. */
export function useAddress(file: Blob): string | undefined {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(file)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [file])
  return address
}

/** A small view of a file. */
export function Thumbnail({ file, alt = '' }: { readonly file: Blob; readonly alt?: string }) {
  const address = useAddress(file)
  return <img src={address} alt={alt} width={64} height={64} loading="lazy" decoding="async" />
}
