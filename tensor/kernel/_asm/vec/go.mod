module vecasm

go 1.26.0
