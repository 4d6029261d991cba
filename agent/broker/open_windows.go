package broker

// nonblock has no meaning on Windows, where a pipe is no name in a directory.
const nonblock = 0
