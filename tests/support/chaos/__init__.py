"""A storm over a front-end: clients that ask for anything, drivers that fail, programs that are killed.

``storm.run`` makes one and answers what was found afterwards. Its choices follow from a seed; how they meet
in time does not.

    world.py     what the storm is about: hosts, datastores, people, and how the drivers behave
    ledger.py    what the front-end has acknowledged
    deeds.py     what can be asked of a VM
    others.py    what can be asked of images and networks, and what nobody may ask
    clients.py   eight of them
    killer.py    kill -9, and Supervisor's part
    aftermath.py the front-end comes to rest by itself; is it as it must be?
"""
