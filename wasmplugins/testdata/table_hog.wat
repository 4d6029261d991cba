;; Grows its table, which has no maximum of its own, until it is refused; then
;; it traps. (wat2wasm --debug-names) Tables are not under the memory limit.
(module
  (table $t 1 funcref)
  (memory (export "memory") 1)
  (func $grow_forever
    (loop $again
      (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))
      (br $again)))
  (func (export "_start") (call $grow_forever)))
