;; A reactor: it has nothing to start.
(module (memory (export "memory") 1) (func (export "_initialize")))
