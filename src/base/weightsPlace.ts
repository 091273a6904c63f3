/** Bytes that are read in parts: of a file on the disk, or of an array in memory. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number
  /**
   * The bytes from `begin` on, in a new array that starts at offset 0 of its buffer.
   * @throws WeightsError if the source ends before
   */
  read(begin: number, length: number): Promise<Uint8Array<ArrayBuffer>>
  /** Closes the file. May be called twice. */
  close(): Promise<void>
}

/** An open weights file, with access to other files of its folder. They are closed with it. */
export interface WeightsPlace {
  readonly source: ByteSource
  /**
   * Opens another file of the same folder.
   * @param name from a manifest; paths are refused, so that a manifest cannot leave its folder
   */
  sibling(name: string): Promise<ByteSource>
  /**
   * Opens a file in the same folder or below it.
   * @param path from the file, with `/` between its parts; absolute paths, `..` and symbolic links
   * are refused, so that a file cannot name another one outside its folder
   */
  below(path: string): Promise<ByteSource>
  /** Closes the file and the others that it opened. May be called twice. */
  close(): Promise<void>
}
