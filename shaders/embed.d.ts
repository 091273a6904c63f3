export function embedShaders(): Promise<void>
