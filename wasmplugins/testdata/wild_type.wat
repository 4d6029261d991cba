;; Passes the structural checks, but is not valid: it leaves nothing where a
;; number belongs. (wat2wasm --no-check)
(module (memory (export "memory") 1) (func (result i32)) (func (export "_start")))
