export default row => row.cpu > 50
