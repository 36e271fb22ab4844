#!/bin/sh
# Takes out of a site-packages folder what the broker never loads: a third of it. `tests/deploy` shows that it runs without.
#   slim.sh FOLDER
set -eu
cd "$1"

# wordllama has the model, which the broker reads itself; its code, and what only that code needs, is not used.
find wordllama -mindepth 1 -maxdepth 1 ! -name __init__.py ! -name tokenizers ! -name weights -exec rm -rf {} +
for name in hf_xet huggingface_hub fsspec safetensors requests urllib3 charset_normalizer tqdm toml filelock; do
  rm -rf "$name" "$name"-*.dist-info
done

# Sources and headers of what is compiled, tests, and numpy's compiler of Fortran.
find . -type f \( -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete
find . -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} +
rm -rf numpy/f2py bin

# Symbols that only a debugger reads.
strip --strip-unneeded uvloop/*.so asyncpg/*/*.so httptools/*/*.so pydantic_core/*.so \
  cryptography/hazmat/bindings/*.so tokenizers/*.so nacl/*.so cbor2/*.so
