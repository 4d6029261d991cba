package journal

// canSwap says whether a file can be renamed over one that is open. Here the journal shrinks only while it is
// empty, and at the next start.
const canSwap = false
