{{ winning_versions('conversations') }}
