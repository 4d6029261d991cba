;; Has two tables.
(module (table 1 funcref) (table 1 funcref) (memory (export "memory") 1) (func (export "_start")))
