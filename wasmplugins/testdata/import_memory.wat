;; Wants its memory from the host.
(module
  (import "octopus_v1" "memory" (memory 1))
  (func (export "_start")))
