;; Initialises, and then traps.
(module
  (memory (export "memory") 1)
  (func (export "_initialize"))
  (func (export "octopus_run") unreachable))
