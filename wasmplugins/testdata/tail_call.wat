;; A loop made of tail calls.
(module (memory (export "memory") 1) (func $again (return_call $again)) (func (export "_start") (call $again)))
