;; A reactor that is no plugin.
(module
  (memory (export "memory") 1)
  (func (export "_initialize")))
