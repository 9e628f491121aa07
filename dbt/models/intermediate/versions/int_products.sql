{{ winning_versions('products', is_incremental()) }}
