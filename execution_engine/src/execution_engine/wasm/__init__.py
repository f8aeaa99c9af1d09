"""The decoder of WebAssembly: all that can be known of a module before it is compiled.

Tlaxcala and the tools of developers look at a program with it. An isolate does not load it: there
all have agreed on the program's bytes, and `static_limits` reads what must be known of them.
"""
