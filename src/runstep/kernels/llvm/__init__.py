"""Element-by-element loops compiled to machine code by LLVM (`llvmlite`): optional, and used where they are faster."""
