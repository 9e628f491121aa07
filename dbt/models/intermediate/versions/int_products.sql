{{ winning_versions('products') }}
