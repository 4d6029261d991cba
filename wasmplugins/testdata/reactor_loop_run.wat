;; Initialises, and then never ends.
(module
  (memory (export "memory") 1)
  (func (export "_initialize"))
  (func (export "octopus_run") (loop $again (br $again))))
