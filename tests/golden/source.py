async def handler_0(self):
    async with self.lock:
        return await self.fetch()
