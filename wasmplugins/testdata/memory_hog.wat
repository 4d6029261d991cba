;; Takes all the memory that it can get, writes to each page, and traps when
;; it is refused more.
(module
  (memory (export "memory") 1)
  (func (export "_start") (local $page i32)
    (loop $again
      (local.set $page (memory.grow (i32.const 1)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then unreachable))
      (i64.store (i32.mul (local.get $page) (i32.const 65536)) (i64.const -1))
      (br $again))))
