;; Wants something to run with.
(module
  (memory (export "memory") 1)
  (func (export "_initialize"))
  (func (export "octopus_run") (param i32)))
