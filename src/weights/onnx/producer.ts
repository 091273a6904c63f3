/** Who Graft's own files say wrote them. */
export const producer = 'graft'
