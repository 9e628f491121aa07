{{ replaced('stores') }}
